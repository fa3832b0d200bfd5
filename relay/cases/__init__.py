"""Cases: given this hook and these fetched records, expect these deliveries."""

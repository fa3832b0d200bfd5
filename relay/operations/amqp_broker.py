"""Examine a RabbitMQ broker."""

from kombu import Connection

from relay.config.broker_address import broker_options


def examine_amqp(url: str, seconds: float) -> str | None:
    """Return why a broker cannot be used, after so many seconds at most; None where it can."""
    address, settings = broker_options(url)
    with Connection(address, ssl=settings.get("broker_use_ssl", False), connect_timeout=seconds) as connection:
        try:
            connection.connect()
        except (*connection.connection_errors, *connection.channel_errors) as error:
            return str(error) or type(error).__name__
    return None

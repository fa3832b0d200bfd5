"""A sink and an SMS gateway of a third party."""

"""`python -m relay` is `relay`."""

from relay.cli import app

if __name__ == "__main__":
    app()

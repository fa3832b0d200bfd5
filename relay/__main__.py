"""`python -m relay` is `relay`, in what it prints too."""

from relay.cli import app

if __name__ == "__main__":
    app(prog_name="relay")

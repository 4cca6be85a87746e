"""`python -m isthmus` is the command `isthmus`."""

from isthmus.cli.main import script

if __name__ == "__main__":
    script()

"""The version of the code; written into every commit."""

VERSION = "0.1.0"

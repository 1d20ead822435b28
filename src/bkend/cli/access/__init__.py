"""What commands reach the data through. Each group of commands has one interface with two
implementations: on a data directory, and over the management API of a server."""

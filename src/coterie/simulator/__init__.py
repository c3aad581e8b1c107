"""The fast driver: virtual time, a heap of events, one seed, one trace."""

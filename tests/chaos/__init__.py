"""The whole manager under random faults on virtual time, and the simulated world that it runs in."""

"""The actors of the manager: thin shells that perform what the pure model decides."""

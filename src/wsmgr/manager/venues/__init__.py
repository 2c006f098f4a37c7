"""Dialects: how services speak over WebSocket, one folder each, behind the protocol in `venues.dialect`."""

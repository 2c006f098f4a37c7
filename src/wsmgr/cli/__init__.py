"""The command line: parsing and rendering only. What a command does, the library does."""

"""The commands of the command line, one function each. Heavy packages are imported where a command needs them."""

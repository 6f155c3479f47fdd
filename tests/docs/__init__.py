"""The documents say what the code does: links, commands, files, tables and examples in them are checked."""

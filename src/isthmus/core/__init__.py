"""The line of every member as a module, and what the whole package is made of."""

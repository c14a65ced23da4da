"""What can be read: files, folders, tables, and the well-known sets."""

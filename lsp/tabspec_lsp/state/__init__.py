"""State of the server: documents, workspace folders, imported files, offered suggestions, recordings."""

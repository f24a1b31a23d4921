"""What the server keeps: documents, workspace folders, imported files, suggestions offered."""

"""The project's own figures, peers side by side."""

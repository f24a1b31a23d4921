"""From the events of a server's answer to the chunks of a suggestion."""

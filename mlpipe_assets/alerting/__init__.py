"""What people are told: messages, the book of what was told, and the channels."""

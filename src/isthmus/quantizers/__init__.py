"""From vectors to integer codes and back."""

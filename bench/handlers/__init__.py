"""What a user would write without Coldpress: one model, loaded in a global, and nothing more."""

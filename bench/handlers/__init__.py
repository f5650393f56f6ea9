"""Handlers without Coldpress, as a user would write them: one model, loaded in a global."""

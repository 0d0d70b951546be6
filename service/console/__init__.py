"""The console: a page where a person picks a user, sees what is recommended and changes the history."""

"""Ways of making a reputation of many rounds: a file for each."""

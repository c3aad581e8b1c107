"""What may stand out about an update: a file for each number that is looked at."""

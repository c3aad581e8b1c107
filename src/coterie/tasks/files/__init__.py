"""Reading what users' files hold. Nothing found beside the data is ever run, and no pickle is opened."""

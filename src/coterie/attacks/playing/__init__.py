"""What the jobs of attackers do; imported only where they run."""

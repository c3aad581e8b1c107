"""What participants do, as plain coroutines: each reads top to bottom and asks for what it needs by awaiting effects."""

"""Reincarnating reinforcement learning: train students from prior computation, under budgets that are counted."""

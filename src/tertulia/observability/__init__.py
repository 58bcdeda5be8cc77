"""What operators see: logs that carry no secret."""

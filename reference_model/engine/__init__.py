"""What stands between requests and models: slots, batches, bounded queues, cache and version routing."""

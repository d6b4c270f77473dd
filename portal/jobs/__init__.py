"""Work: the job table, its leases and the reaper."""

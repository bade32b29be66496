//! Threads, run queues, wait queues and timers.

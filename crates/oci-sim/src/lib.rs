//! The cloud in memory: Core API, metadata service and disks on loopback.

//! The flexvolume driver's executable: one call, one reply.

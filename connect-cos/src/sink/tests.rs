mod bucket;
mod crashes;
mod handover;
mod recovery;
mod world;

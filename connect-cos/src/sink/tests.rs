mod bucket;
mod crashes;
mod handover;
mod pressure;
mod recovery;
mod world;

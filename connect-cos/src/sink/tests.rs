mod bucket;
mod crashes;
mod world;

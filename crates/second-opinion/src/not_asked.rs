//! The list of what regorus is not asked about, kept as data.

/// The list: `id`, what is detected, why.
pub const LISTED: &str = include_str!("not-asked.tsv");

/// An entry of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its short name.
    pub id: &'static str,
    /// What is detected.
    pub what: &'static str,
    /// Why regorus is not asked.
    pub why: &'static str,
}

/// All entries, in the order of the list.
pub fn listed() -> impl Iterator<Item = Listed> {
    LISTED.lines().filter(|l| !l.starts_with('#')).filter_map(|line| {
        let mut fields = line.split('\t');
        Some(Listed {
            id: fields.next()?,
            what: fields.next()?,
            why: fields.next()?,
        })
    })
}

/// The reason that is told: the entry, with what was met.
pub(crate) fn reason(id: &str, met: &str) -> String {
    let why = listed().find(|l| l.id == id).map_or("", |l| l.why);
    format!("{met} ({id}: {why})")
}

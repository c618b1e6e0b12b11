//! Documents: input and base data.

use super::Gen;

pub(super) const KEYS: &[&str] = &["a", "b", "c", "d", "1", "a b"];

const SCALARS: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "1",
    "2",
    "-1",
    "3",
    "1.5",
    "10",
    "0.1",
    "1e2",
    "\"\"",
    "\"a\"",
    "\"b\"",
    "\"ab\"",
    "\"A\"",
    "\"1\"",
    "\"é\"",
    "\"a.b\"",
    "\"a/b\"",
    "\"100m\"",
    "\"1Gi\"",
    "\"10.0.0.1\"",
];

const BIG: &[&str] = &[
    "9007199254740993",
    "18446744073709551617",
    "-9223372036854775808",
    "1e20",
    "1e-7",
    "1234567.5",
    "2.50",
    "-0.0",
    "0.30000000000000004",
    "3.0",
    "1e100",
    "100000000000000000000000",
    "0.1e1",
    "4294967296",
    "1E3",
    "-1.5e-3",
];

impl Gen {
    fn scalar_json(&mut self) -> String {
        if self.big && self.r.once_in(4) {
            return self.r.pick(BIG).to_owned();
        }
        match self.r.pick(SCALARS) {
            "1e2" if self.plain => "100".to_owned(),
            scalar => scalar.to_owned(),
        }
    }

    pub(super) fn json(&mut self, depth: usize) -> String {
        let kind = if depth == 0 { self.r.below(3) } else { self.r.below(6) };
        match kind {
            0..=2 => self.scalar_json(),
            3 | 4 => self.list(depth - 1),
            _ => self.fields(depth - 1),
        }
    }

    fn list(&mut self, depth: usize) -> String {
        let items: Vec<String> = (0..self.r.below(4)).map(|_| self.json(depth)).collect();
        format!("[{}]", items.join(", "))
    }

    fn fields(&mut self, depth: usize) -> String {
        let mut items = Vec::new();
        for key in KEYS {
            if self.r.once_in(2) {
                items.push(format!("\"{key}\": {}", self.json(depth)));
            }
        }
        format!("{{{}}}", items.join(", "))
    }

    /// The input; none once in a while.
    pub(super) fn input(&mut self) -> Option<String> {
        if self.r.once_in(40) {
            return None;
        }
        if self.r.once_in(12) {
            return Some(self.json(2));
        }
        let (a, b, xs, o) = (self.json(2), self.json(2), self.list(1), self.fields(1));
        Some(format!(
            "{{\"a\": {a}, \"b\": {b}, \"xs\": {xs}, \"o\": {o}, \"f\": false, \"n\": null, \"s\": \"ab\"}}"
        ))
    }

    /// Base documents: `data.d`, seldom something beside the rules of a package.
    pub(super) fn data(&mut self) -> String {
        match self.r.below(8) {
            0..=3 => "{}".to_owned(),
            4 => {
                let (d, beside) = (self.fields(1), self.json(1));
                format!("{{\"d\": {d}, \"t\": {{\"base\": {beside}}}}}")
            }
            _ => format!("{{\"d\": {}}}", self.fields(2)),
        }
    }
}

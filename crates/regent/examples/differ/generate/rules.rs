//! Rules of every form.

use super::{Form, Gen, Kind, Scope};

impl Gen {
    /// The definitions of a rule, a text each.
    pub(super) fn definitions(&mut self, i: usize) -> Vec<String> {
        let form = self.rules[i].form;
        let name = self.rules[i].name.clone();
        let most = if form == Form::Complete { 2 } else { 3 };
        let count = 1 + self.r.below(most);
        let mut out = Vec::new();
        let assign = if self.style.v0 && self.r.once_in(2) { "=" } else { ":=" };
        if let Form::Function(n) = form
            && self.r.once_in(4)
        {
            let value = self.ground_value();
            out.push(format!("default {name}({}) {assign} {value}", vec!["_"; n].join(", ")));
        }
        if form == Form::Complete && self.r.once_in(4) {
            let value = self.ground_value();
            out.push(format!("default {name} {assign} {value}"));
        }
        for _ in 0..count {
            out.push(self.rule(i));
        }
        out
    }

    /// What a default may be.
    fn ground_value(&mut self) -> String {
        match self.r.below(8) {
            0 => "[]".to_owned(),
            1 => "{\"a\": 1}".to_owned(),
            2 => "{1, \"a\"}".to_owned(),
            3 if !self.plain => "[x | x := 1]".to_owned(),
            _ => self.scalar(Kind::Any),
        }
    }

    fn arguments_pattern(&mut self, scope: &mut Scope, n: usize) -> Vec<String> {
        let mut out = Vec::new();
        for k in 0..n {
            let pattern = match self.r.below(12) {
                0 | 1 => self.scalar(Kind::Any),
                2 => {
                    scope.vars.push((format!("u{k}"), Kind::Any));
                    scope.vars.push((format!("w{k}"), Kind::Any));
                    format!("[u{k}, w{k}]")
                }
                3 => {
                    scope.vars.push((format!("u{k}"), Kind::Any));
                    format!("{{\"a\": u{k}}}")
                }
                4 => "_".to_owned(),
                5 => {
                    scope.vars.push((format!("u{k}"), Kind::Any));
                    format!("[u{k}, {}]", self.scalar(Kind::Any))
                }
                _ => {
                    scope.vars.push((format!("a{k}"), Kind::Any));
                    format!("a{k}")
                }
            };
            out.push(pattern);
        }
        out
    }

    fn rule(&mut self, i: usize) -> String {
        let Some(named) = self.rules.get(i).cloned() else {
            return String::new();
        };
        let (name, form) = (named.name, named.form);
        let mut scope = Scope {
            vars: Vec::new(),
            after: i + 1,
            package: named.package,
            ground: false,
        };
        let args = match form {
            Form::Function(n) => self.arguments_pattern(&mut scope, n),
            _ => Vec::new(),
        };
        let arguments = scope.vars.clone();
        let mut body = if self.r.once_in(9) {
            Vec::new()
        } else {
            self.body(&mut scope, 2)
        };
        let assign = if self.style.v0 && self.r.once_in(2) { "=" } else { ":=" };
        let head = match form {
            Form::Set => {
                let value = self.term(&mut scope, Kind::Any, 1);
                if self.style.modern {
                    format!("{name} contains {value}")
                } else {
                    format!("{name}[{value}]")
                }
            }
            Form::Object => {
                let (key, value) = (self.key(&mut scope), self.term(&mut scope, Kind::Any, 1));
                format!("{name}[{key}] {assign} {value}")
            }
            Form::Nested(steps, set) => {
                let mut reference = name;
                for c in steps.chars() {
                    match c {
                        'K' => reference.push_str(&self.key(&mut scope)),
                        other => reference.push(other),
                    }
                }
                let value = self.term(&mut scope, Kind::Any, 1);
                if set {
                    format!("{reference} contains {value}")
                } else {
                    format!("{reference} {assign} {value}")
                }
            }
            Form::Complete if !body.is_empty() && self.r.once_in(3) => name,
            Form::Complete => format!("{name} {assign} {}", self.term(&mut scope, Kind::Any, 2)),
            Form::Function(_) if !body.is_empty() && self.r.once_in(4) => format!("{name}({})", args.join(", ")),
            Form::Function(_) => {
                format!(
                    "{name}({}) {assign} {}",
                    args.join(", "),
                    self.term(&mut scope, Kind::Any, 2)
                )
            }
        };
        self.used(&mut body, &head, &scope, arguments.len());
        let mut out = String::new();
        if self.r.once_in(10) {
            out.push_str("# METADATA\n# title: one rule\n# description: |\n#  of several\n# custom:\n#  severity: 3\n");
        }
        let otherwise = matches!(form, Form::Complete | Form::Function(_)) && self.r.once_in(4);
        out.push_str(&head);
        out.push_str(&self.written_body(&body, otherwise));
        if otherwise {
            let mut left = 1 + self.r.below(2);
            while left > 0 {
                left -= 1;
                let mut scope = Scope {
                    vars: arguments.clone(),
                    after: i + 1,
                    package: named.package,
                    ground: false,
                };
                let mut body = if left == 0 && self.r.once_in(3) {
                    Vec::new()
                } else {
                    self.body(&mut scope, 1)
                };
                let value = self.term(&mut scope, Kind::Any, 1);
                self.used(&mut body, &value, &scope, arguments.len());
                let head = if self.r.once_in(6) {
                    " else".to_owned()
                } else {
                    format!(" else {assign} {value}")
                };
                out.push_str(&head);
                out.push_str(&self.written_body(&body, head == " else" || left > 0));
            }
        } else if !body.is_empty() && (!self.style.modern && self.r.once_in(8) || self.r.once_in(200)) {
            let mut scope = Scope {
                vars: arguments,
                after: i + 1,
                package: named.package,
                ground: false,
            };
            let mut more = self.body(&mut scope, 1);
            // The head's variables must be bound in a chained body, too.
            more.extend(body.iter().take(2).cloned());
            out.push_str(&self.written_body(&more, true).replacen(" if {", " {", 1));
        }
        out
    }

    /// ` if { .. }`, with `{` where `if` is not known. None for no lines unless there must be one.
    fn written_body(&mut self, lines: &[String], must: bool) -> String {
        let open = if self.style.modern { " if" } else { "" };
        match lines {
            [] if must => format!("{open} {{ true }}"),
            [] => String::new(),
            [one] if self.style.modern && self.r.once_in(4) && !one.contains('\n') => format!(" if {one}"),
            lines => format!("{open} {{\n\t{}\n}}", lines.join("\n\t")),
        }
    }

    /// A key of a head.
    fn key(&mut self, scope: &mut Scope) -> String {
        match self.r.below(6) {
            0 => self.scalar(Kind::String),
            1 => self.term(scope, Kind::Any, 1),
            _ => self.atom(scope, Kind::Any),
        }
    }
}

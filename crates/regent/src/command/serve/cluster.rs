//! Whether there is a cluster, and what is watched and written there.

use crate::arguments::Serve;
use regent_watcher::ClusterOptions;
use regent_watcher::cluster::connect;
use std::path::Path;

/// Set in every Pod by Kubernetes.
const IN_POD: &str = "KUBERNETES_SERVICE_HOST";
/// Where a Pod finds the name of its namespace.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
const NAMESPACE: &str = "regent-system";

/// A cluster is used when a kubeconfig is named, and inside a Pod; never because the user has one lying about.
pub(super) fn is_asked_for(args: &Serve) -> bool {
    args.kubeconfig.is_some() || (std::env::var_os(IN_POD).is_some() && Path::new(NAMESPACE_FILE).exists())
}

/// The namespace the server runs in.
pub(super) fn own_namespace(args: &Serve) -> String {
    let named = args.own_namespace.clone().filter(|n| !n.is_empty());
    let found = || {
        std::fs::read_to_string(NAMESPACE_FILE)
            .ok()
            .map(|n| n.trim().to_owned())
    };
    named.or_else(found).unwrap_or_else(|| NAMESPACE.to_owned())
}

/// Users that the server writes as; Gatekeeper's name for its own as well.
pub(super) fn own_accounts(args: &Serve) -> Vec<String> {
    if !is_asked_for(args) {
        return Vec::new();
    }
    let namespace = own_namespace(args);
    ["regent", "gatekeeper-admin"]
        .map(|name| format!("system:serviceaccount:{namespace}:{name}"))
        .to_vec()
}

/// What the watcher does in the cluster, when there is one.
///
/// # Errors
/// It is asked for and cannot be spoken to.
pub(super) async fn options(args: &Serve) -> Result<Option<ClusterOptions>, String> {
    if !is_asked_for(args) {
        return Ok(None);
    }
    let own_namespace = own_namespace(args);
    let config_map_namespaces = if args.config_map_namespace.is_empty() {
        // Whoever may write ConfigMaps in a watched namespace makes policy for the cluster.
        vec![own_namespace.clone()]
    } else {
        args.config_map_namespace.clone()
    };
    Ok(Some(ClusterOptions {
        cluster: connect(args.kubeconfig.as_deref()).await?,
        config_maps: true,
        config_map_namespaces,
        custom_resources: true,
        create_definitions: !args.read_only,
        write_status: !args.read_only,
        own_namespace,
        identity: args
            .identity
            .clone()
            .filter(|i| !i.is_empty())
            .unwrap_or_else(|| "regent".to_owned()),
    }))
}

# input: containers-50
package bench

violation contains {"msg": msg} if {
	some container in input.review.object.spec.containers
	some name in container.securityContext.capabilities.add
	not harmless(name)
	msg := sprintf("%s adds %s, which allows %s", [container.name, name, risk(name)])
}

harmless("AUDIT_WRITE")
harmless("CHOWN")
harmless("DAC_OVERRIDE")
harmless("FOWNER")
harmless("FSETID")
harmless("KILL")
harmless("MKNOD")
harmless("NET_BIND_SERVICE")
harmless("SETFCAP")
harmless("SETGID")
harmless("SETPCAP")
harmless("SETUID")
harmless("SYS_CHROOT")

risk("SYS_ADMIN") := "nearly everything"
risk("NET_ADMIN") := "changing the network"
risk("NET_RAW") := "forging packets"
risk("SYS_PTRACE") := "reading other processes"
risk("SYS_MODULE") := "loading kernel modules"
risk("SYS_TIME") := "setting the clock"
risk("BPF") := "tracing the kernel"
risk("SYSLOG") := "reading the kernel's log"
risk("SYS_BOOT") := "restarting the node"
risk("IPC_LOCK") := "locking memory"

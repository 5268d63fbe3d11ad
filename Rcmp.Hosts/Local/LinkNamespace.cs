using System.ComponentModel;
using System.Diagnostics;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Local;

/// <summary>How a program is run where it may make networks of its own: in network and mount namespaces that nobody else has, and that are gone with
/// the last process in them. Nothing of the machine's own network or files is touched.</summary>
internal static class LinkNamespace
{
    // "ip netns" keeps its names in /run/netns; what is mounted there is only seen inside.
    private const string Prepare =
        "set -e; [ -d /run/netns ] || { mount -t tmpfs none /run; mkdir /run/netns; }; mount -t tmpfs none /run/netns; ip link set lo up; ";

    private const string Try =
        "ip link add rcmp-br type bridge; ip netns add rcmp-try; ip link add rcmp-v type veth peer name eth0 netns rcmp-try; ip netns exec rcmp-try true";

    private static readonly Lazy<(string? Flags, string Problem)> Found = new(Find);

    /// <summary>Why links cannot be cut on this machine, or null.</summary>
    public static string? Problem => Found.Value.Flags is null ? Found.Value.Problem : null;

    /// <summary>How to start a program inside. The process that is started becomes the program itself.</summary>
    public static ProcessStartInfo Enter(ProcessStartInfo program)
    {
        var flags = Found.Value.Flags ?? throw CommandException.Missing(Found.Value.Problem);
        var start = Script(flags, Prepare + "exec \"$@\"");
        start.ArgumentList.Add(program.FileName);
        foreach (var argument in program.ArgumentList) start.ArgumentList.Add(argument);
        return start;
    }

    private static (string? Flags, string Problem) Find()
    {
        var problem = "";
        // Root may without a user namespace, which some machines forbid; others forbid the rest, as in a container.
        foreach (var flags in Environment.IsPrivilegedProcess ? new[] { "-nm", "-rnm" } : ["-rnm"])
        {
            try
            {
                var start = Script(flags, Prepare + Try);
                (start.RedirectStandardError, start.RedirectStandardOutput) = (true, true);
                using var process = Process.Start(start) ?? throw new Win32Exception("it was not started");
                process.OutputDataReceived += (_, _) => { };
                process.BeginOutputReadLine();
                var said = process.StandardError.ReadToEnd();
                process.WaitForExit();
                if (process.ExitCode == 0) return (flags, "");
                problem = $"network namespaces cannot be made: {said.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).FirstOrDefault() ?? $"exit code {process.ExitCode}"}";
            }
            catch (Win32Exception)
            {
                problem = "'unshare' (package util-linux) is not installed, or may not be run";
            }
        }
        return (null, problem);
    }

    private static ProcessStartInfo Script(string flags, string script)
    {
        var start = new ProcessStartInfo("unshare");
        foreach (var argument in new[] { flags, "--", "sh", "-c", script, "sh" }) start.ArgumentList.Add(argument);
        return start;
    }
}

using System.CommandLine;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Commands;

/// <summary>The work is the script's, which runs before there is a program; what arrives here was set up already.</summary>
internal sealed class SetupCommand : RcmpCommand
{
    public SetupCommand()
        : base("setup", "Install what the build needs from apt; './rcmp setup' does it, and asks first on a terminal.") =>
        Add(new Option<bool>("--yes") { Description = "Install without asking; the script takes it with every command." });

    /// <summary>A package, and the command or file that shows it is there: the same as in the script.</summary>
    public static IReadOnlyList<(string Package, string Probe)> Needs { get; } =
    [
        ("gcc", "gcc"),
        ("libc6-dev", "/usr/include/stdio.h"),
        ("libibverbs-dev", "/usr/include/infiniband/verbs.h"),
        ("librdmacm-dev", "/usr/include/rdma/rdma_cma.h"),
    ];

    /// <summary>What is not there, with such a PATH.</summary>
    public static string[] Missing(string? path) => [.. Needs.Where(n => !IsThere(n.Probe, path)).Select(n => n.Package)];

    public override Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var missing = Missing(Environment.GetEnvironmentVariable("PATH"));
        if (missing.Length > 0)
            throw CommandException.Missing($"packages are missing; run: apt-get install -y --no-install-recommends {string.Join(' ', missing)}, or './rcmp setup'");
        context.Out.WriteLine("Set up: everything the build needs is installed, and the program is built.");
        return Task.FromResult(ExitCodes.Done);
    }

    private static bool IsThere(string probe, string? path) =>
        Path.IsPathRooted(probe) ? Path.Exists(probe) : (path ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, probe)));
}

using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Commands;

/// <summary>The work is the script's, which runs before there is a program; what arrives here was set up already.</summary>
internal sealed class SetupCommand() : RcmpCommand("setup", "Install what the build needs from apt and build; './rcmp setup' does it, and asks first on a terminal.")
{
    private static readonly (string Path, string Package)[] Needed = [("/usr/bin/gcc", "gcc"), ("/usr/include/stdio.h", "libc6-dev")];

    public override Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var missing = Needed.Where(n => !File.Exists(n.Path)).Select(n => n.Package).ToArray();
        if (missing.Length > 0) throw CommandException.Missing($"packages are missing; run: apt-get install -y {string.Join(' ', missing)}");
        context.Out.WriteLine("Set up: everything the build needs is installed, and the program is built.");
        return Task.FromResult(ExitCodes.Done);
    }
}

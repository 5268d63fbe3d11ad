using System.CommandLine;
using System.CommandLine.Help;
using Rcmp.Hosts.Commands;

namespace Rcmp.Hosts.Cli;

/// <summary>All commands and the options that every one has.</summary>
internal sealed class CommandTree
{
    private CommandTree(Command root) => Root = root;

    public Command Root { get; }

    public Option<bool> Version { get; } = new("--version") { Description = "Print the version.", Recursive = true };

    public Option<bool> Verbose { get; } = new("--verbose") { Description = "Say more; print the trace of an error.", Recursive = true };

    public Option<bool> NoColor { get; } = new("--no-color") { Description = "No colors (NO_COLOR in the environment does the same).", Recursive = true };

    public static CommandTree Build()
    {
        var root = new Command("rcmp", "A memory pool that spans racks: direct access inside a rack, one-sided access between racks, pages that move to where they are hot.");
        var tree = new CommandTree(root);
        root.Add(new HelpOption());
        root.Add(tree.Version);
        root.Add(tree.Verbose);
        root.Add(tree.NoColor);
        root.Add(new DemoCommand());
        root.Add(new TestCommand());
        root.Add(new UpCommand());
        root.Add(new DownCommand());
        root.Add(new StatusCommand());
        root.Add(new TopCommand());
        root.Add(new LogsCommand());
        root.Add(new ShellHostCommand());
        root.Add(new LocateCommand());
        root.Add(Group("bench", "Measure the pool.", new BenchCommand(), new CompareCommand()));
        root.Add(new ChaosCommand());
        root.Add(new SimulateCommand());
        root.Add(new MasterCommand());
        root.Add(new RackCommand());
        root.Add(Group("region", "Make and look at a rack's memory.", new RegionCreateCommand(), new RegionInspectCommand(), new RegionCheckCommand()));
        root.Add(Group("config", "Look at HOCON files.", new ConfigCheckCommand(), new ConfigShowCommand()));
        root.Add(new DoctorCommand());
        root.Add(new SetupCommand());
        root.Add(new ClientProcessCommand());
        return tree;
    }

    public static Command Group(string name, string description, params RcmpCommand[] commands)
    {
        var group = new Command(name, description);
        foreach (var command in commands) group.Add(command);
        return group;
    }
}

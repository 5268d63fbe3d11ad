using System.CommandLine;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Commands;

/// <summary>The work is the script's, which builds the tests first; declared here so that help lists it and a mistyped word finds it.</summary>
internal sealed class TestCommand : RcmpCommand
{
    public TestCommand()
        : base("test", "Build and run the tests; './rcmp test' does it.")
    {
        Add(new Option<bool>("--all") { Description = "Also the long and the performance tests, the benchmarks' build, and the virtual machine with real RDMA and DAX." });
        Add(SharedOptions.Text("--filter", "TEXT", "Only tests whose name contains TEXT."));
        Add(new Option<bool>("--list") { Description = "Print the names of the tests, and run none." });
    }

    public override Task<int> RunAsync(CommandContext context, CancellationToken ct) =>
        throw CommandException.Usage("the program does not hold the tests: the script runs them, './rcmp test' in the folder of the sources");
}

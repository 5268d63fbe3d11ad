using System.CommandLine;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Demo;

namespace Rcmp.Hosts.Commands;

internal sealed class DemoCommand : RcmpCommand
{
    private readonly Option<string?> _input = SharedOptions.Text("--input", "PATH", "The file, or the directory with the files, to store (default: the installed .NET shared framework).");
    private readonly Option<bool> _json = SharedOptions.Json();

    public DemoCommand()
        : base("demo", "Show a pool across two racks on this machine: files stored in one and verified in the other, and pages that move to where they are hot.")
    {
        Add(_input);
        Add(_json);
    }

    public override async Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var json = context.Get(_json);
        var input = DemoInput.Find(context.Get(_input));
        var result = await new DemoRun(input, DemoView.For(context, json)).RunAsync(ct);
        if (json) JsonOutput.Write(context.Out, result);
        return result.Ok ? ExitCodes.Done : ExitCodes.CheckFailed;
    }
}

using System.CommandLine;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Doctor;

namespace Rcmp.Hosts.Commands;

internal sealed class DoctorCommand : RcmpCommand
{
    private readonly Option<bool> _json = SharedOptions.Json();

    public DoctorCommand()
        : base("doctor", "Say what this machine offers and lacks for a pool, and what that costs.") => Add(_json);

    public override Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var checks = new MachineChecks().All();
        if (context.Get(_json))
        {
            JsonOutput.Write(context.Out, new { ok = checks.All(c => c.Ok), checks });
            return Task.FromResult(ExitCodes.Done);
        }
        var width = checks.Max(c => c.Name.Length);
        foreach (var check in checks)
        {
            context.Out.WriteLine($"{(check.Ok ? "yes" : "no "),-4} {check.Name.PadRight(width)}  {check.Value}");
            if (check.Cost is not null) context.Out.WriteLine($"{new string(' ', width + 7)}{check.Cost}.");
        }
        return Task.FromResult(ExitCodes.Done);
    }
}
